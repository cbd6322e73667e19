"""Files for the signed-in, streamed under the permissions of their session."""
