"""How the lab tells moto's server of root users."""

ROOT_USERS = "ZTGRADE_LAB_ROOT_USERS"
"""Names root users by account, as JSON: ``cells`` of the credential report, ``mfa``, and ``access_keys``."""
