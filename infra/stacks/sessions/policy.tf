# How long sessions and tokens live: the same file in the stacks auth and sessions (checked by test.sh), because every
# function that judges a session must judge it alike.

variable "max_sessions_per_user" {
  description = "Sessions that a user may have at once; one more ends the least recently used."
  type        = number
  default     = 5

  validation {
    condition     = var.max_sessions_per_user >= 1 && var.max_sessions_per_user <= 10 && floor(var.max_sessions_per_user) == var.max_sessions_per_user
    error_message = "max_sessions_per_user must be a whole number from 1 to 10."
  }
}

variable "access_token_ttl_seconds" {
  description = "Life of an access token."
  type        = number
  default     = 900

  validation {
    condition     = var.access_token_ttl_seconds >= 1 && var.access_token_ttl_seconds <= var.session_idle_seconds && floor(var.access_token_ttl_seconds) == var.access_token_ttl_seconds
    error_message = "access_token_ttl_seconds must be a whole number from 1 to session_idle_seconds."
  }
}

variable "session_idle_seconds" {
  description = "Idle lifetime of a session: it ends after this time without a refresh."
  type        = number
  default     = 3600

  validation {
    condition     = var.session_idle_seconds >= 1 && var.session_idle_seconds <= var.session_absolute_seconds && floor(var.session_idle_seconds) == var.session_idle_seconds
    error_message = "session_idle_seconds must be a whole number from 1 to session_absolute_seconds."
  }
}

variable "session_absolute_seconds" {
  description = "Absolute lifetime of a session."
  type        = number
  default     = 86400

  validation {
    condition     = var.session_absolute_seconds >= 1 && var.session_absolute_seconds <= 31536000 && floor(var.session_absolute_seconds) == var.session_absolute_seconds
    error_message = "session_absolute_seconds must be a whole number from 1 to 31536000 (a year)."
  }
}

variable "stay_signed_in_idle_seconds" {
  description = "Idle lifetime of a session with \"stay signed in\"."
  type        = number
  default     = 1209600

  validation {
    condition     = var.stay_signed_in_idle_seconds >= 1 && var.stay_signed_in_idle_seconds <= var.stay_signed_in_absolute_seconds && floor(var.stay_signed_in_idle_seconds) == var.stay_signed_in_idle_seconds
    error_message = "stay_signed_in_idle_seconds must be a whole number from 1 to stay_signed_in_absolute_seconds."
  }
}

variable "stay_signed_in_absolute_seconds" {
  description = "Absolute lifetime of a session with \"stay signed in\"."
  type        = number
  default     = 2592000

  validation {
    condition     = var.stay_signed_in_absolute_seconds >= 1 && var.stay_signed_in_absolute_seconds <= 31536000 && floor(var.stay_signed_in_absolute_seconds) == var.stay_signed_in_absolute_seconds
    error_message = "stay_signed_in_absolute_seconds must be a whole number from 1 to 31536000 (a year)."
  }
}

variable "refresh_grace_seconds" {
  description = "Grace of a refresh: time in which a refresh token that was already used returns the same new pair."
  type        = number
  default     = 10

  validation {
    condition     = var.refresh_grace_seconds >= 0 && var.refresh_grace_seconds <= 60 && floor(var.refresh_grace_seconds) == var.refresh_grace_seconds
    error_message = "refresh_grace_seconds must be a whole number from 0 to 60."
  }
}

variable "cache_max_age_seconds" {
  description = "Longest time for which a cached session is used without a read of the table."
  type        = number
  default     = 60

  validation {
    condition     = var.cache_max_age_seconds >= 1 && var.cache_max_age_seconds <= 3600 && floor(var.cache_max_age_seconds) == var.cache_max_age_seconds
    error_message = "cache_max_age_seconds must be a whole number from 1 to 3600."
  }
}

locals {
  session_environment = merge(local.cache_environment, {
    SESSIONS_TABLE                  = local.input["platform/sessions-table-name"]
    CACHE_MAX_AGE_SECONDS           = var.cache_max_age_seconds
    MAX_SESSIONS_PER_USER           = var.max_sessions_per_user
    ACCESS_TOKEN_TTL_SECONDS        = var.access_token_ttl_seconds
    SESSION_IDLE_SECONDS            = var.session_idle_seconds
    SESSION_ABSOLUTE_SECONDS        = var.session_absolute_seconds
    STAY_SIGNED_IN_IDLE_SECONDS     = var.stay_signed_in_idle_seconds
    STAY_SIGNED_IN_ABSOLUTE_SECONDS = var.stay_signed_in_absolute_seconds
    REFRESH_GRACE_SECONDS           = var.refresh_grace_seconds
    ALLOWED_ORIGINS                 = join(",", var.allowed_origins)
  })
}
