"""What a message is: headers, MIME tree with byte offsets, addresses, envelope, dates. Pure."""
