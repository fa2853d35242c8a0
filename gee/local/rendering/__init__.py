"""Images to files and pictures: blocks computed in threads, formats, map tiles."""
