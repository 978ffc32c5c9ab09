"""What lies around the pixels of a picture file, bytes in and bytes out: XMP, EXIF, colour, pictures within them."""
