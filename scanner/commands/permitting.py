"""``ztgrade permissions``: least privilege of a collector, to grant before it reads anything."""

from __future__ import annotations

import click

from scanner import registry
from scanner.collecting.permission import ASSUME, NEVER_CALLED, iam_policy, never_asked
from scanner.commands.printing import json_option, say, say_json
from scanner.errors import UsageError


@click.command()
@click.argument("collector_name", metavar="COLLECTOR")
@click.option("--policy", "policy_only", is_flag=True, help="Print only the IAM policy, ready to attach.")
@click.option("--role", "roles", multiple=True, metavar="ARN", help="A role that the policy lets it assume; repeat.")
@json_option
def permissions(collector_name: str, policy_only: bool, roles: tuple[str, ...], as_json: bool) -> None:
    """Print each right that COLLECTOR asks for, why, what is lost without it, and what it never asks for."""
    collector = registry.find("collector", collector_name, registry.collectors())
    policy = iam_policy(collector, roles)
    never = never_asked(collector)
    if policy_only:
        if policy is None:
            raise UsageError(f"collector {collector.name!r} reads nothing that IAM guards; leave --policy out")
        say_json(policy, indent=2)
        return
    rights = [{"name": each.name, "why": each.why, "facts": list(each.facts)} for each in collector.permissions]
    if as_json:
        row = {
            "schema_version": 1,
            "collector": collector.name,
            "version": collector.version,
            "permissions": rights,
            "never_ask": list(never),
        }
        say_json(row if policy is None else row | {"policy": policy})
        return
    say(f"{collector.name} {collector.version}: reads only; grant these rights and no more")
    for right in collector.permissions:
        say(f"  {right.name}")
        say(f"      why: {right.why}")
        say(f"      without it, not seen: {', '.join(right.facts)}")
    if never:
        say(f"never asked for ({NEVER_CALLED.get(collector.name, 'whatever its rights allow')}):")
        for name in never:
            say(f"  {name}" if name != "*" else "  *  (all at once)")
    if policy is not None:
        if any(right.name == ASSUME for right in collector.permissions) and not roles:
            say(f"{ASSUME} stands in the policy only for the roles given with --role ARN")
        say(f"as an IAM policy: ztgrade permissions {collector.name} --policy")
