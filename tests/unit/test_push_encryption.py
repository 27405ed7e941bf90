"""The example of RFC 8291, section 5 and appendix A."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from goatedvips.clients.push_encryption import LONGEST_MESSAGE, encrypt
from goatedvips.push_services import decode_base64url, encode_base64url

PUBLIC_KEY = decode_base64url("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
AUTH = decode_base64url("BTBZMqHH6r4Tts7J_aSIgg")
SALT = decode_base64url("DGv6ra1nlYgDCS1FRnbzlw")
SENDER_KEY = ec.derive_private_key(
    int.from_bytes(decode_base64url("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), ec.SECP256R1()
)
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95b"
    "Qpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
)


def test_the_example_of_the_rfc_is_encrypted_as_it_stands_there() -> None:
    message = b"When I grow up, I want to be a watermelon"
    assert encode_base64url(encrypt(message, PUBLIC_KEY, AUTH, sender_key=SENDER_KEY, salt=SALT)) == BODY


def test_a_message_is_at_most_as_long_as_push_services_take_and_never_encrypted_alike() -> None:
    longest = b"x" * LONGEST_MESSAGE
    assert len(encrypt(longest, PUBLIC_KEY, AUTH)) == 4096
    assert encrypt(b"x", PUBLIC_KEY, AUTH) != encrypt(b"x", PUBLIC_KEY, AUTH)
    with pytest.raises(ValueError, match="3993"):
        encrypt(longest + b"x", PUBLIC_KEY, AUTH)
