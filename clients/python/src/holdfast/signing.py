"""Signs requests with AWS Signature Version 4, by botocore. Credentials and Region come from botocore's usual chain."""

from __future__ import annotations

import re
import threading
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, ClientError, CredentialRetrievalError, HTTPClientError, MetadataRetrievalError

from holdfast.errors import ConfigurationError, Unavailable

# The default host name of an API names the Region that its signatures need.
_HOST = re.compile(r"[a-z0-9-]+\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")


class Signer:
    """Signs for the service `execute-api`. Any number of threads may use it."""

    def __init__(self, url: str, region: str | None, aws_session: Any) -> None:
        self._url = url
        self._region = region
        # Its chain is not safe for several threads until it has found the credentials once.
        self._lock = threading.Lock()
        # A session of botocore or boto3: the chain of the process, unless the application gave one.
        self.session: Any = aws_session if aws_session is not None else botocore.session.get_session()
        self._credentials: Any = None

    def sign(self, request: AWSRequest) -> list[str]:
        """Adds the signature, with the present time. Returns the secrets of the credentials, so that no error repeats them."""
        problem: ConfigurationError | Unavailable
        try:
            with self._lock:
                region = self._found_region()
                if self._credentials is None:
                    self._credentials = self.session.get_credentials()
            if self._credentials is not None:
                # Refreshes credentials that expire soon.
                frozen = self._credentials.get_frozen_credentials()
                SigV4Auth(frozen, "execute-api", region).add_auth(request)
                return [secret for secret in (frozen.secret_key, frozen.token) if secret]
            problem = ConfigurationError("NO_CREDENTIALS", "There are no AWS credentials: give this process a role, a profile or AWS_ACCESS_KEY_ID.")
        except (CredentialRetrievalError, MetadataRetrievalError, HTTPClientError) as error:
            problem = Unavailable("CREDENTIALS_UNAVAILABLE", f"The source of the AWS credentials does not answer ({type(error).__name__}).")
        except (BotoCoreError, ClientError) as error:
            problem = ConfigurationError("NO_CREDENTIALS", f"The AWS credentials cannot be used ({type(error).__name__}).")
        # Raised out here: an error must not hold the exception of another library, which may hold the request.
        raise problem

    def _found_region(self) -> str:
        if self._region is None:
            named = _HOST.fullmatch(urlsplit(self._url).hostname or "")
            self._region = named[1] if named else self._region_of_session()
        if self._region is None:
            raise ConfigurationError("NO_REGION", "The AWS Region of Holdfast is not known: set AWS_REGION or AWS_DEFAULT_REGION, or pass `region`.")
        return self._region

    def _region_of_session(self) -> str | None:
        of_boto3 = hasattr(self.session, "region_name")
        return self.session.region_name if of_boto3 else self.session.get_config_variable("region")
