"""The commands of ``ztgrade``, a few to a file; nothing else imports them."""
