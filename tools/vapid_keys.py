"""`make vapid-keys`: a new pair of keys for push messages, and where each of them goes."""

from cryptography.hazmat.primitives.asymmetric import ec

from goatedvips.clients.vapid import Signer
from goatedvips.push_services import encode_base64url

TEXT = """\
Public key   {public}
  the parameter PushPublicKey of the stack, in samconfig.toml; browsers subscribe with it
Private key  {private}
  the secret of the stack's output PushKeySecret:
  aws secretsmanager put-secret-value --secret-id <PushKeySecret> --secret-string '{{"private_key": "{private}"}}'

Put the private key first, then deploy. Subscriptions that were made with another key take no more messages.
"""


def generate() -> tuple[str, str]:
    """Return a public key (65 bytes) and its private key (32 bytes), each as base64url without padding."""
    number = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
    private = encode_base64url(number.to_bytes(32))
    return Signer(private, "").public_key, private


if __name__ == "__main__":
    public_key, private_key = generate()
    print(TEXT.format(public=public_key, private=private_key), end="")  # noqa: T201
