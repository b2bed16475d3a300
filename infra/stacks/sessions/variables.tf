variable "device_trust_seconds" {
  description = "Time for which a trusted device replaces the second factor."
  type        = number
  default     = 2592000

  validation {
    condition     = var.device_trust_seconds >= 1 && var.device_trust_seconds <= 31536000 && floor(var.device_trust_seconds) == var.device_trust_seconds
    error_message = "device_trust_seconds must be a whole number from 1 to 31536000 (a year)."
  }
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

variable "max_mfa_attempts" {
  description = "Distinct codes per MFA session; twice that per account in 900 s."
  type        = number
  default     = 5

  validation {
    condition     = var.max_mfa_attempts >= 1 && var.max_mfa_attempts <= 10 && floor(var.max_mfa_attempts) == var.max_mfa_attempts
    error_message = "max_mfa_attempts must be a whole number from 1 to 10."
  }
}
