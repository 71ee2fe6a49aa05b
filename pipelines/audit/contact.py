"""Whether an address or a telephone is a business's, a person's, or cannot be told. Careful: what is not plain is *unclear*."""

from __future__ import annotations

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType

BUSINESS, PERSONAL, UNCLEAR = KINDS = ("business", "personal", "unclear")
ENTITIES = ("EMAIL_ADDRESS", "PHONE_NUMBER")
BEFORE = 60
"""Characters before a telephone in which a word says whose it is."""

_ROLE_NAMES = """
info marketing sales support abuse noc security postmaster hostmaster usenet news webmaster www uucp ftp contact contacts help
helpdesk service services customerservice customercare care admin administrator office hello hi mail team press media pr jobs
careers career hr recruiting billing accounts accounting finance invoices orders order shop store booking bookings reservations
reservation enquiries enquiry inquiries inquiry feedback privacy legal compliance dpo noreply no-reply donotreply do-not-reply
newsletter notifications alerts
kontakt vertrieb kundenservice buchhaltung bewerbung datenschutz presse contacto ventas soporte ayuda atencion contatti
assistenza vendite amministrazione accueil ventes
"""
"""RFC 2142's mailboxes, and what firms use in the seven languages."""
_PROVIDERS = """
gmail googlemail yahoo ymail hotmail outlook live msn aol icloud me gmx web mail proton protonmail posteo t-online freenet
orange wanadoo laposte libero virgilio tiscali qq 163 126 sina foxmail docomo ezweb softbank yandex zoho
"""
"""Second-level names of those who give mailboxes to anybody."""
_ENDINGS = "com net org de fr it es jp cn uk at ch me ne co"
_ROLES, _FREEMAIL, _FREEMAIL_ENDINGS = (frozenset(names.split()) for names in (_ROLE_NAMES, _PROVIDERS, _ENDINGS))
_LINES = frozenset(
    {PhoneNumberType.TOLL_FREE, PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST, PhoneNumberType.UAN,
     PhoneNumberType.VOICEMAIL}
)  # fmt: skip
_COMPANY_CUE = re.compile(
    r"(?i)\b(?:customer (?:service|support|care)|support|hotline|helpline|help ?desk|reception|switchboard|head office|"
    r"headquarters|sales|toll[- ]free|front desk|reservations?|service client|standard|kundenservice|zentrale|servicio al cliente|"
    r"assistenza clienti)\b|客服|热线|総合案内|代表電話"
)


@lru_cache(4096)
def kind(entity: str, value: str, before: str) -> str:
    """One of KINDS, for an e-mail address or a telephone number and the text before it."""
    return _email(value) if entity == "EMAIL_ADDRESS" else _phone(value, before[-BEFORE:])


def _email(value: str) -> str:
    local, _, domain = value.casefold().rpartition("@")
    name = re.split(r"[+]", local)[0]
    if name in _ROLES or re.split(r"[._\-]", name)[0] in _ROLES:
        return BUSINESS
    labels = domain.split(".")
    is_freemail = labels[0] in _FREEMAIL and set(labels[1:]) <= _FREEMAIL_ENDINGS and len(labels) > 1
    return PERSONAL if is_freemail else UNCLEAR


def _phone(value: str, before: str) -> str:
    line = _line(value)
    if line in _LINES or _COMPANY_CUE.search(before):
        return BUSINESS
    # Where a country's mobiles have numbers of their own; in North America they have not.
    return PERSONAL if line == PhoneNumberType.MOBILE else UNCLEAR


def _line(value: str) -> int:
    """The type of line of a number with its country, or of a North American one; UNKNOWN otherwise."""
    for region in (None, "US"):
        try:
            number = phonenumbers.parse(value, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.number_type(number)
    return PhoneNumberType.UNKNOWN
