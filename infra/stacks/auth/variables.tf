variable "registration_enabled" {
  description = "Whether POST /v1/users makes accounts; else it answers 403 REGISTRATION_CLOSED."
  type        = bool
  default     = false
}

variable "max_login_attempts" {
  description = "Failed passwords per account from one network in 900 s (ten times that per account, twenty times per network)."
  type        = number
  default     = 5

  validation {
    condition     = var.max_login_attempts >= 1 && var.max_login_attempts <= 1000000 && floor(var.max_login_attempts) == var.max_login_attempts
    error_message = "max_login_attempts must be a whole number from 1 to 1000000."
  }
}

variable "login_session_ttl_seconds" {
  description = "How long a sign-in may take."
  type        = number
  default     = 600

  validation {
    condition     = var.login_session_ttl_seconds >= 300 && var.login_session_ttl_seconds <= 600 && floor(var.login_session_ttl_seconds) == var.login_session_ttl_seconds
    error_message = "login_session_ttl_seconds must be a whole number from 300 to 600."
  }
}

variable "mfa_session_ttl_seconds" {
  description = "How long a second factor is waited for."
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
