variable "name" {
  description = "Prefix of all names."
  type        = string
  default     = "webhook-inbox"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,29}$", var.name))
    error_message = "name must have 1 to 30 characters: a-z, 0-9 and '-', starting with a letter."
  }
}

variable "release_manifest" {
  description = "Manifest of the release: version, arch, and of each function sha256, file and s3Key."
  type        = string
}

variable "deletion_protection_enabled" {
  description = "Whether DynamoDB refuses to delete the table."
  type        = bool
  default     = false
}

variable "deny_insecure_transport" {
  description = "Whether the queues refuse requests without TLS; false only without TLS (a local cloud)."
  type        = bool
  default     = true
}
