"""Presets of retention rules: what a control asks for, and what of the numbers is our choice.

Few texts name a number.  Where one does not, the number here is ours, and says so: whoever answers
for the control sets their own.  Numbers count days from when an entry was recorded, a leap day more
than the years they stand for, so that no calendar makes them short.

Source: the public texts named in `rests_on`; PCI DSS 4.0.1 requirement 10.5.1.
"""

from collections.abc import Mapping
from typing import Final

import msgspec


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """One preset.

    Attributes:
        id: names the rule made from it.
        title: in words.
        types: which types of events, as in `type:` of a search.
        days: how long they are kept at least.
        at_hand_days: how many of these the text asks to have at hand; 0 where it asks for none.
        rests_on: the text, and what it says.
        ours: what of it is our choice, "" for nothing.
    """

    id: str
    title: str
    types: str = "*"
    days: int
    at_hand_days: int = 0
    rests_on: str
    ours: str = ""


_ALL: Final = (
    Preset(
        id="pci-dss-10.5.1", title="12 months kept, 3 at hand", days=366, at_hand_days=92,
        rests_on="PCI DSS 4.0.1, 10.5.1: audit log history for at least 12 months, at least the last three "
        "months immediately available",
        ours="to apply it to every type of event, not to audit logs alone",
    ),
    Preset(
        id="sox-audit", title="7 years", days=2_557,
        rests_on="Sarbanes-Oxley section 802 and 17 CFR 210.2-06: auditors keep records of an audit for seven years",
        ours="to keep evidence of change control as long as the auditor keeps what was made of it",
    ),
    Preset(
        id="21-cfr-11", title="10 years", days=3_653,
        rests_on="21 CFR 11.10(c): records are protected so that they can be retrieved throughout the "
        "retention period, which the rule they are kept under sets",
        ours="the number: Part 11 names none; take that of the record",
    ),
    Preset(
        id="dora", title="5 years", days=1_827,
        rests_on="Regulation (EU) 2022/2554 Art. 9 and 12, Regulation (EU) 2024/1774 Art. 12: logs are kept "
        "for a period the entity sets by purpose and risk",
        ours="the number: neither names one",
    ),
    Preset(
        id="iso-27001", title="3 years", days=1_096,
        rests_on="ISO/IEC 27001:2022 A.5.33, A.8.15: records and logs are kept and protected as the organisation requires",
        ours="the number: one cycle of certification",
    ),
    Preset(
        id="nist-au-11", title="3 years", days=1_096,
        rests_on="NIST SP 800-53 r5 AU-11: audit records are kept for a time the organisation defines",
        ours="the number",
    ),
    Preset(
        id="soc-2", title="18 months", days=549,
        rests_on="AICPA TSC CC4.1, CC7.2, CC8.1: evidence is there for the whole period that is examined",
        ours="the number: a period of 12 months and half a year to examine it in",
    ),
    Preset(
        id="gdpr-short", title="6 months", days=184,
        rests_on="GDPR Art. 5(1)(e): personal data is kept no longer than its purpose needs",
        ours="the number; a longer rule for the same types counts more, as a duty to keep does",
    ),
)  # fmt: skip
PRESETS: Final[Mapping[str, Preset]] = {one.id: one for one in _ALL}
