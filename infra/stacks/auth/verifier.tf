# Who knows whether a password is right.

variable "credential_verifier" {
  description = "password (hashes in the sessions table) or cognito (a user pool's accounts)."
  type        = string
  default     = "password"

  validation {
    condition     = contains(["password", "cognito"], var.credential_verifier)
    error_message = "credential_verifier must be password or cognito."
  }

  validation {
    condition     = var.credential_verifier != "cognito" || var.cache_provider != "redis"
    error_message = "credential_verifier must be password with cache_provider redis: from the cache's network Cognito cannot be reached."
  }

  validation {
    condition     = var.credential_verifier != "cognito" || !var.registration_enabled
    error_message = "credential_verifier must be password with registration_enabled: with cognito, accounts are made in the user pool."
  }

  validation {
    condition     = var.credential_verifier != "cognito" || var.cognito_client_id != ""
    error_message = "credential_verifier cognito needs cognito_client_id."
  }
}

variable "cognito_client_id" {
  description = "App client of the user pool (without a secret, with ALLOW_USER_PASSWORD_AUTH); empty with credential_verifier password."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^[A-Za-z0-9_+]{0,128}$", var.cognito_client_id))
    error_message = "cognito_client_id must be a client's id: letters and digits, at most 128."
  }
}

locals {
  verifier_environment = merge(
    { CREDENTIAL_VERIFIER = var.credential_verifier },
    var.credential_verifier == "cognito" ? { COGNITO_CLIENT_ID = var.cognito_client_id } : {},
  )
}
