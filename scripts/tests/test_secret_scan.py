"""The scan for secrets finds what it looks for: a scan that finds nothing shows something only then."""

import unittest

import fakes  # noqa: F401

from holdfast_cli.verify import secret_scan

PLANTED = {
    "a token": "x hf1.AAAAAAAAAAAAAAAAAAAAAA.3.BBBB.CCCC y",
    "an e-mail": "to e2e-0123456789abcdef01234567@holdfast.test",
    "a password": '{"password":"pw-0123456789abcdef01234567"}',
    "a password hash": "$argon2id$v=19$m=19456",
    "a recovery code": "ABCD-EFGH-IJKL-MNOP-QRST-UVWX",
    "an authenticator's secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    "a code": '{"code": "123456"}',
}


class SecretScan(unittest.TestCase):
    def test_every_kind_of_secret_is_found(self):
        self.assertEqual(set(PLANTED), set(secret_scan.WHAT))
        for name, text in PLANTED.items():
            self.assertIn(name, secret_scan.secrets(text))

    def test_what_is_no_secret_is_left_alone(self):
        for text in ("REPORT RequestId: 49583bdb-a2ca-45e4-878d-c160e04f0ec0 Duration: 27 ms",
                     '{"code":"INVALID_MFA_CODE","route":"POST /v1/auth/mfa/verify"}',
                     '{"userId":{"S":"AAAAAAAAAAAAAAAAAAAAAA"},"id":{"S":"49583bdb-0"}}'):
            self.assertEqual(secret_scan.secrets(text), [])


if __name__ == "__main__":
    unittest.main()
