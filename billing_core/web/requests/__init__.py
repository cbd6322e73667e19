"""What a request may ask: by which methods, with which parameters, and in which words it is told what is wrong."""
