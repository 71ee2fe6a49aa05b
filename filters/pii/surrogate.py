"""Values that are nobody's: ranges set aside for documentation and fiction, and made-up values out of them."""

from __future__ import annotations

import re

from filters.pii.luhn import luhn

_NAMELESS = {"PERSON": "Person", "LOCATION": "Place", "ORGANIZATION": "Organisation"}
_HOST = re.compile(r"(?i)@(?:[\w-]+\.)*(?:example\.(?:com|org|net)|example|test|invalid|localhost)$")
_IP = re.compile(r"(?i)^(?:192\.0\.2|198\.51\.100|203\.0\.113)\.\d+|^2001:0?db8:")
# By their digits. NANPA: 555-0100 to -0199; Ofcom: London 020 7946 0xxx; Arcep: 01 99 00 xx xx; Bundesnetzagentur: Berlin
# 030 23125 xxx. All are set aside for film and fiction.
_PHONE = re.compile(r"(?:1?[2-9]\d\d)?55501\d\d|(?:44|0)2079460\d{3}|(?:33|0)19900\d{4}|(?:49|0)3023125\d{3}")


def reserved(entity: str, value: str) -> bool:
    """Whether the value is of a range for documentation and fiction (RFC 2606, 5737, 3849; fictitious telephones)."""
    if entity == "EMAIL_ADDRESS":
        return bool(_HOST.search(value))
    if entity == "PHONE_NUMBER":
        return bool(_PHONE.fullmatch(re.sub(r"\D", "", value)))
    return entity == "IP_ADDRESS" and bool(_IP.search(value))


def surrogate(entity: str, value: str, number: int) -> str:
    """The ``number``-th made-up value of the entity, in the shape of ``value``. E-mail addresses, telephones and IP
    addresses stay valid; the checksums of cards and IBANs are wrong on purpose: nobody can have been given such a number.
    Anything else becomes a word that says it is made up."""
    if entity == "EMAIL_ADDRESS":
        return f"person{number}@example.com"
    if entity == "PHONE_NUMBER":
        return _phone(value, number)
    if entity == "IP_ADDRESS":
        return f"2001:db8::{number:x}" if ":" in value else f"192.0.2.{number % 254 + 1}"
    if entity == "CREDIT_CARD":
        return _card(value, number)
    if entity == "IBAN_CODE":
        # Check digits 00 are never issued.
        return value[:2] + "00" + re.sub(r"[^\W_]", "0", value[4:])
    return f"{_NAMELESS[entity]} {number}" if entity in _NAMELESS else "EXAMPLE" + "X" * 9 + str(number)


def _phone(value: str, number: int) -> str:
    """Valid where it comes from, for the countries that set numbers aside; a number of the US anywhere else."""
    bare = value.lstrip("-").isdigit()
    prefix = re.match(r"\s*(?:\+|00)\s*(44|33|49)", value)
    if prefix and prefix[1] == "44":
        shown = f"+44 20 7946 0{number % 1000:03d}"
    elif prefix and prefix[1] == "33":
        shown = f"+33 1 99 00 {number // 100 % 100:02d} {number % 100:02d}"
    elif prefix:
        shown = f"+49 30 23125 {number % 1000:03d}"
    else:
        area = 202 + number // 100 % 798
        shown = f"{'+1 ' if value.lstrip().startswith('+') else ''}{area}-555-01{number % 100:02d}"
    return re.sub(r"\D", "", shown) if bare else shown


def _card(value: str, number: int) -> str:
    """As many digits in the same places, the last one such that the check fails."""
    digits = "4" + f"{number}".zfill(len(re.sub(r"\D", "", value)) - 1)
    if luhn(digits):
        digits = digits[:-1] + str((int(digits[-1]) + 1) % 10)
    left = iter(digits)
    return re.sub(r"\d", lambda _: next(left, "0"), value)
