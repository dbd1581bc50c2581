"""Wire formats: bytes of one protocol in, canonical events and rejections out. Pure."""
