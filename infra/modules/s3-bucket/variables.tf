variable "create" {
  description = "Whether to create the bucket."
  type        = bool
  default     = true
}

variable "name" {
  description = "Name of the bucket: one in all of AWS."
  type        = string

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", join("-", compact([var.name_prefix, var.name]))))
    error_message = "name (after name_prefix) must have 3 to 63 characters: a-z, 0-9 and '-', not at the ends."
  }
}

variable "name_prefix" {
  description = "Prefix of the name, joined with '-'; null for none."
  type        = string
  default     = null
}

variable "noncurrent_version_expiration_days" {
  description = "Time in which overwritten or deleted objects can be restored."
  type        = number
  default     = 90

  validation {
    condition     = var.noncurrent_version_expiration_days >= 1
    error_message = "noncurrent_version_expiration_days must be at least 1."
  }
}

variable "lifecycle_enabled" {
  description = "Whether old versions expire, and unfinished uploads after a week. Terraform's AWS provider waits 55 s for these rules. Off for a bucket that does not live long, or of the local cloud."
  type        = bool
  default     = true
}

variable "force_destroy" {
  description = "Whether destroying the bucket also destroys its objects."
  type        = bool
  default     = false
}

variable "access_log_bucket" {
  description = "Bucket in which S3 records the reads and writes, below <name>/; its policy must allow logging.s3.amazonaws.com to put objects there. Null for none."
  type        = string
  default     = null

  validation {
    condition     = var.access_log_bucket == null ? true : can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.access_log_bucket)) && var.access_log_bucket != join("-", compact([var.name_prefix, var.name]))
    error_message = "access_log_bucket must be the name of another bucket, or null, because a bucket that logs into itself grows without limit."
  }
}

variable "kms_key_arn" {
  description = "Customer-managed KMS key for encryption at rest; null for the key that S3 owns."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias), or null."
  }
}

variable "tags" {
  description = "Tags of the bucket."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
