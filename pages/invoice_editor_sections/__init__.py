"""One invoice: written as a draft, sent, and followed until it is paid."""
