"""Users, roles, permissions, sessions; the Actor that every service checks."""

from billing_core.identity.permissions import PERMISSIONS, SYSTEM, Actor, Permission, Role, actor_with

SESSION_COOKIE = "billing_session"

__all__ = ["PERMISSIONS", "SESSION_COOKIE", "SYSTEM", "Actor", "Permission", "Role", "actor_with"]
