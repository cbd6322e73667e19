"""Our own HTTP addresses, and the authentication in front of them. Translates between the web and the services."""

from billing_core.web.app import middleware, routes
from billing_core.web.failures import HANDLERS
from billing_core.web.lifespan import lifespan

__all__ = ["HANDLERS", "lifespan", "middleware", "routes"]
