variable "registration_enabled" {
  description = "Whether POST /v1/users creates accounts; otherwise it answers 403 REGISTRATION_CLOSED."
  type        = bool
  default     = false
}

variable "max_registrations_per_network" {
  description = "Accounts that POST /v1/users creates for one network (/24, /48) in an hour."
  type        = number
  default     = 20

  validation {
    condition     = var.max_registrations_per_network >= 1 && var.max_registrations_per_network <= 1000000 && floor(var.max_registrations_per_network) == var.max_registrations_per_network
    error_message = "max_registrations_per_network must be a whole number from 1 to 1000000."
  }
}

variable "login_session_ttl_seconds" {
  description = "Lifetime of a login session, in which a sign-in must be completed."
  type        = number
  default     = 600

  validation {
    condition     = var.login_session_ttl_seconds >= 300 && var.login_session_ttl_seconds <= 600 && floor(var.login_session_ttl_seconds) == var.login_session_ttl_seconds
    error_message = "login_session_ttl_seconds must be a whole number from 300 to 600."
  }
}

variable "mfa_session_ttl_seconds" {
  description = "Lifetime of an MFA session, in which the second factor must be shown."
  type        = number
  default     = 300

  validation {
    condition     = var.mfa_session_ttl_seconds >= 1 && var.mfa_session_ttl_seconds <= var.login_session_ttl_seconds && floor(var.mfa_session_ttl_seconds) == var.mfa_session_ttl_seconds
    error_message = "mfa_session_ttl_seconds must be a whole number from 1 to login_session_ttl_seconds."
  }
}

variable "sign_in_failures_per_minute" {
  description = "Failed sign-ins a minute, of all users, above which an alarm is raised."
  type        = number
  default     = 100

  validation {
    condition     = var.sign_in_failures_per_minute > 0
    error_message = "sign_in_failures_per_minute must be more than 0."
  }
}

variable "mfa_issuer" {
  description = "The name that stands above the e-mail in an authenticator."
  type        = string
  default     = "Holdfast"

  validation {
    condition     = can(regex("^[^:[:cntrl:]]{1,64}$", var.mfa_issuer))
    error_message = "mfa_issuer must have 1 to 64 characters, none of them a colon."
  }
}

variable "credential_verifier" {
  description = "Verifier of passwords: password (argon2id, in the sessions table) or cognito (a user pool)."
  type        = string
  default     = "password"

  validation {
    condition     = contains(["password", "cognito"], var.credential_verifier)
    error_message = "credential_verifier must be password or cognito."
  }

  validation {
    condition     = var.credential_verifier != "cognito" || var.cache_provider != "redis"
    error_message = "credential_verifier cognito cannot be combined with cache_provider redis: in its VPC nothing reaches Cognito. Use dynamodb for one or password for the other."
  }

  validation {
    condition     = var.credential_verifier != "cognito" || !var.registration_enabled
    error_message = "credential_verifier cognito cannot be combined with registration_enabled: users are made in the pool."
  }
}

variable "cognito_client_id" {
  description = "App client of the user pool (ALLOW_USER_PASSWORD_AUTH, no secret); empty unless credential_verifier is cognito."
  type        = string
  default     = ""

  validation {
    condition     = (var.cognito_client_id != "") == (var.credential_verifier == "cognito")
    error_message = "cognito_client_id must be given with credential_verifier cognito, and only then."
  }
}
