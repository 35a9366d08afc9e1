"""In which of the six scenes a system is, by rule; where the inventory does not say enough, nobody knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from scanner.facts.kleene import every, some
from scanner.model import Scene, ServiceModel
from scanner.selection.inventory import SystemRecord

SOFTWARE_LAYERS = ("directory", "network", "os", "database")
"""Layers whose privileged accounts the scene of system operations is about."""


@dataclass(frozen=True)
class SceneRules:
    """Readings of the guideline where it is narrow or doubtful; the institution may choose the other one."""

    tax_id: str
    """The institution's own tax identification number; whoever has another belongs to another institution."""
    separated_accounts: bool = False
    """Application administration takes separated accounts too. By default the data alone decides, and accounts that
    are not separated are a finding against 4-1 rather than a way out of the scene."""
    vendor_beyond_reach: bool = False
    """Service provider takes remote work or a device of the vendor's own. By default any layer that a vendor runs
    suffices."""
    external_by_any_path: bool = False
    """Cross-institution holds for people of others by whatever path. By default by the internet only: a closed line or
    a VPN is not held to be outside."""


@dataclass(frozen=True)
class Decision:
    """Whether a rule holds of a system, and why; None where the inventory does not say."""

    holds: bool | None
    why: str


def one_of(value: object, wanted: Iterable[object]) -> bool | None:
    """Whether a value is among those wanted; unknown where there is none."""
    return None if value is None else value in tuple(wanted)


def _remote_work(record: SystemRecord, _: SceneRules) -> Decision:
    holds = one_of(record.staff_path, ("vpn", "internet"))
    return Decision(holds, f"own staff reach it by {record.staff_path}")


def _cloud_access(record: SystemRecord, _: SceneRules) -> Decision:
    model = record.service_model
    holds = None if model is None else model is not ServiceModel.ON_PREMISES
    return Decision(holds, f"service model {model.value if model else None}")


def _system_operations(record: SystemRecord, _: SceneRules) -> Decision:
    layers = {layer: record.run_by.get(layer) for layer in SOFTWARE_LAYERS}
    own = sorted(layer for layer, operator in layers.items() if operator == "institution")
    holds = every(record.important, some(*(one_of(operator, ("institution",)) for operator in layers.values())))
    return Decision(
        holds, f"important: {_said(record.important)}; run by the institution: {', '.join(own) or 'nothing'}"
    )


def _application_administration(record: SystemRecord, rules: SceneRules) -> Decision:
    said = f"administrators reach sensitive data in bulk: {_said(record.bulk_sensitive)}"
    if not rules.separated_accounts:
        return Decision(record.bulk_sensitive, said)
    said += f"; accounts separated: {_said(record.accounts_separated)}"
    return Decision(every(record.bulk_sensitive, record.accounts_separated), said)


def _service_provider(record: SystemRecord, rules: SceneRules) -> Decision:
    reached = one_of(record.vendor_access, ("remote", "on_site_own_device"))
    run = sorted(layer for layer, operator in record.run_by.items() if operator == "vendor")
    said = f"vendor's access: {_said(record.vendor_access)}; run by a vendor: {', '.join(run) or 'nothing'}"
    if rules.vendor_beyond_reach:
        return Decision(reached, said)
    return Decision(some(reached, *(one_of(operator, ("vendor",)) for operator in record.run_by.values())), said)


def _cross_institution(record: SystemRecord, rules: SceneRules) -> Decision:
    ids = record.user_tax_ids
    others = None if ids is None else tuple(number for number in ids if number != rules.tax_id)
    wanted = ("dedicated_line", "vpn", "internet") if rules.external_by_any_path else ("internet",)
    holds = every(None if others is None else bool(others), one_of(record.external_path, wanted))
    said = "not said" if others is None else ", ".join(others) or "nobody"
    return Decision(holds, f"users of other institutions: {said}; they come by {_said(record.external_path)}")


RULES: Mapping[Scene, Callable[[SystemRecord, SceneRules], Decision]] = {
    Scene.REMOTE_WORK: _remote_work,
    Scene.CLOUD_ACCESS: _cloud_access,
    Scene.SYSTEM_OPERATIONS: _system_operations,
    Scene.APPLICATION_ADMINISTRATION: _application_administration,
    Scene.SERVICE_PROVIDER: _service_provider,
    Scene.CROSS_INSTITUTION: _cross_institution,
}


def scenes_of(record: SystemRecord, rules: SceneRules) -> dict[Scene, Decision]:
    """The decision for each of the six scenes; scenes overlap."""
    return {scene: rule(record, rules) for scene, rule in RULES.items()}


def duties_unseparated(record: SystemRecord) -> bool:
    """Whether sensitive data in bulk is administered from accounts that are not apart: a finding against 4-1."""
    return record.bulk_sensitive is True and record.accounts_separated is False


def _said(value: object) -> str:
    return "not said" if value is None else {True: "yes", False: "no"}.get(value, str(value))  # type: ignore[call-overload]
