"""Signed webhooks of email providers: bytes in, canonical events and rejections out. Pure."""
