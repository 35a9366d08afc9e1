"""The probes in the order in which a report shows them, and the one way to run them."""

from __future__ import annotations

import csv
import zlib

from agent.host import Host
from agent.probes import (
    administrators,
    boot,
    disk_encryption,
    endpoint_protection,
    host_firewall,
    host_identity,
    listeners,
    log_forwarding,
    management,
    operating_system,
    password_policy,
    patching,
    removable_storage,
    session_lock,
    software,
    time_sync,
    vpn,
)
from agent.section import DENIED, ERROR, SEEN, CannotLook, Probe, Section, moment, refuse_odd_values
from agent.trouble import STUMBLES

PROBES: tuple[Probe, ...] = (
    host_identity.PROBE,
    operating_system.PROBE,
    patching.PROBE,
    disk_encryption.PROBE,
    host_firewall.PROBE,
    endpoint_protection.PROBE,
    boot.PROBE,
    administrators.PROBE,
    management.PROBE,
    password_policy.PROBE,
    session_lock.PROBE,
    removable_storage.PROBE,
    listeners.PROBE,
    vpn.PROBE,
    time_sync.PROBE,
    log_forwarding.PROBE,
    software.PROBE,
)

TROUBLE = (*STUMBLES, csv.Error, zlib.error)
"""What a look may stumble over in what a host answers."""
RUN_ON = frozenset({"linux"})
"""Systems on which the branches of the probes were really run; those for others follow the makers' documents alone."""


def observe(probe: Probe, host: Host) -> Section:
    """Run one probe; whatever it could not do becomes the section's status, never an exception."""
    observed_at = moment(host.now())
    try:
        seen = probe.look(host)
        refuse_odd_values(dict(seen.values))
    except CannotLook as reason:
        status, detail = reason.status, str(reason)
    except PermissionError as error:
        status, detail = DENIED, f"{error.filename or ''} {error.strerror or error}".strip()
    except TROUBLE as error:
        status, detail = ERROR, f"{type(error).__name__}: {error}"
    else:
        values, missing = dict(seen.values), dict(seen.missing)
        return Section(probe.name, probe.schema_version, SEEN, "", observed_at, values, missing)
    return Section(probe.name, probe.schema_version, status, detail[:500], observed_at)


def observe_all(host: Host) -> list[Section]:
    """Every section, in order."""
    return [observe(probe, host) for probe in PROBES]
