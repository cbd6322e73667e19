"""The published APIs: what programs may ask for, under the addresses and in the words of their documents."""
