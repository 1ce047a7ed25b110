"""What is printed, as PDF: cards, registers, vouchers, balance slips, certificates and a venue's thank-you.

a document (data and words, ``documents``) -> ``await press.pdf(document)`` -> a PDF, or declined as ``busy``
                                           -> ``typeset(document)``: the same bytes, where blocking does no harm
"""

from ledger.doors.web.paper.documents import (
    BalanceSlip,
    BalanceWords,
    Card,
    Cards,
    CardSize,
    CardWords,
    Certificate,
    CertificateWords,
    Document,
    OfferCount,
    RegisterSheet,
    RegisterWords,
    SlipLine,
    SlipWords,
    ThankYou,
    ThankYouWords,
    Voucher,
    Vouchers,
    VoucherWords,
    translated,
)
from ledger.doors.web.paper.press import Press, typeset

__all__ = [
    "BalanceSlip",
    "BalanceWords",
    "Card",
    "CardSize",
    "CardWords",
    "Cards",
    "Certificate",
    "CertificateWords",
    "Document",
    "OfferCount",
    "Press",
    "RegisterSheet",
    "RegisterWords",
    "SlipLine",
    "SlipWords",
    "ThankYou",
    "ThankYouWords",
    "Voucher",
    "VoucherWords",
    "Vouchers",
    "translated",
    "typeset",
]
