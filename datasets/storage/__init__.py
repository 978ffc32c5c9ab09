"""Files and folders: listing them, checking and splitting them, reading on threads, replacing files whole."""
