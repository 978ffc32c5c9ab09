"""Files and folders: listing them, reading them on threads, replacing them whole."""
