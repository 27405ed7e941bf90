"""The key of push messages on this machine. It is no secret: nobody but the stand-in gets what is signed with it."""

import hashlib

from goatedvips.push_services import encode_base64url

PRIVATE_KEY = encode_base64url(hashlib.sha256(b"the push messages of make run").digest())
PUBLIC_KEY = "BBONWVxbaOW4Gf4kkRljgArUqjagYVAg1ttyr49zp9EWnDqa1eTL0DrxGahkfC-ZW3Prak1iu0uT6y4-WwvE54I"
