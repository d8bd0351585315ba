"""A key of OpenPGP that signs nothing: made for these tests, its other half thrown away."""

from __future__ import annotations

FINGERPRINT = "50B0D0039DA3C9460036F4E3C7E92B5AF1B11172"
KEY = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawH5WxYJKwYBBAHaRw8BAQdA8h43sLgAgccr9rqVOKVZhBMGl4BPO2HAnEmk
KdCTlQq0ImltYWdla2l0IHRlc3RzIDx0ZXN0c0BleGFtcGxlLmNvbT6IkAQTFggA
OBYhBFCw0AOdo8lGADb048fpK1rxsRFyBQJrAflbAhsDBQsJCAcCBhUKCQgLAgQW
AgMBAh4BAheAAAoJEMfpK1rxsRFyeQ4A+wUqAvMhffcR7uKkowtJ0HRivxrH4VSp
VZGAi/DqtpNqAP9+Ah8n17ktbudMDRjxH6HIzw+/olgFLSWm7FYMyZ5zAA==
=Xte0
-----END PGP PUBLIC KEY BLOCK-----
"""
