variable "name" {
  description = "Prefix of all names."
  type        = string
  default     = "own-identity"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,29}$", var.name))
    error_message = "name must have 1 to 30 characters: a-z, 0-9 and '-', starting with a letter."
  }
}

variable "issuer_url" {
  description = "Issuer of the OpenID provider, exactly as its discovery document has it."
  type        = string

  validation {
    condition     = can(regex("^(https://|http://(127\\.0\\.0\\.1|localhost)(:|/|$))[^ ?#]*$", var.issuer_url))
    error_message = "issuer_url must be an https:// address without a query (on this machine http://127.0.0.1 or http://localhost)."
  }
}

variable "client_id" {
  description = "Id of this application at the provider. It is registered with PKCE and with the redirect URI of the output `redirect_uri`."
  type        = string

  validation {
    condition     = can(regex("^[!-~]{1,256}$", var.client_id))
    error_message = "client_id must be 1 to 256 visible ASCII characters."
  }
}

variable "client_secret_arn" {
  description = "ARN of the secret of Secrets Manager that holds the client secret as text, for a confidential client; null for a public client."
  type        = string
  default     = null

  validation {
    condition     = var.client_secret_arn == null ? true : can(regex("^arn:(aws|aws-cn|aws-us-gov):secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}$", var.client_secret_arn))
    error_message = "client_secret_arn must be the whole ARN of a secret of Secrets Manager, with the six characters at its end, or null."
  }
}

variable "client_secret_kms_key_arn" {
  description = "Customer-managed KMS key that encrypts the client secret; null for the key of Secrets Manager, which needs no right of the function."
  type        = string
  default     = null

  validation {
    condition     = var.client_secret_kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.client_secret_kms_key_arn)) && var.client_secret_arn != null
    error_message = "client_secret_kms_key_arn must be the ARN of a key (not of an alias) and needs client_secret_arn, or be null."
  }
}

variable "local_endpoint" {
  description = "Address of the local cloud (http://127.0.0.1:<port>), whose APIs have other addresses; empty on AWS."
  type        = string
  default     = ""

  validation {
    condition     = var.local_endpoint == "" || can(regex("^http://(127\\.0\\.0\\.1|localhost):[0-9]+$", var.local_endpoint))
    error_message = "local_endpoint must be empty, or http://127.0.0.1:<port> without a slash at the end."
  }
}

variable "public_url" {
  description = "Address of this API as browsers see it; null for that of API Gateway. Tokens in cookies need the host name of Holdfast's API."
  type        = string
  default     = null

  validation {
    condition     = var.public_url == null ? true : can(regex("^(https://|http://(127\\.0\\.0\\.1|localhost)(:|/|$))[^ ?#]*[^ ?#/]$", var.public_url))
    error_message = "public_url must be an https:// address without a query and without a slash at the end, or null."
  }
}

variable "app_url" {
  description = "Page that the user comes to after a sign-in with tokens in cookies. `GET /login?return_to=<path>` names another page of its origin."
  type        = string

  validation {
    condition     = can(regex("^(https://|http://(127\\.0\\.0\\.1|localhost)(:|/|$))[^ ?#]*$", var.app_url))
    error_message = "app_url must be an https:// address without a query (on this machine http://127.0.0.1 or http://localhost)."
  }
}

variable "transport" {
  description = "How the browser gets the tokens: cookie (no script reads them) or body (JSON)."
  type        = string
  default     = "cookie"

  validation {
    condition     = contains(["cookie", "body"], var.transport)
    error_message = "transport must be cookie or body."
  }
}

variable "max_age_seconds" {
  description = "The provider authenticates a user again whose authentication is older."
  type        = number
  default     = 43200

  validation {
    condition     = var.max_age_seconds >= 1 && var.max_age_seconds <= 31536000 && floor(var.max_age_seconds) == var.max_age_seconds
    error_message = "max_age_seconds must be a whole number from 1 to 31536000 (a year)."
  }
}

variable "create_session_policy" {
  description = "Output `policy_documents.create_session` of the stack sessions. The function gets the right to invoke the function that it names, and no other."
  type        = string

  validation {
    condition = can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?$", one(flatten([
      for statement in jsondecode(var.create_session_policy).Statement : statement.Resource if statement.Action == ["lambda:InvokeFunction"]
    ]))))
    error_message = "create_session_policy must be a policy document that allows lambda:InvokeFunction on exactly one function."
  }
}

variable "release_manifest" {
  description = "Manifest that build.py writes: version, arch, and of the function sha256, file and s3Key."
  type        = string
}
