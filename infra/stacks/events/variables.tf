variable "event_archive_days" {
  description = "Retention of events for replay on AWS, in days; 0 for no archive."
  type        = number
  default     = 14

  validation {
    condition     = var.event_archive_days >= 0 && floor(var.event_archive_days) == var.event_archive_days
    error_message = "event_archive_days must be a whole number, 0 or more."
  }
}

variable "audit_retention_days" {
  description = "Retention of an entry of the audit trail, in days."
  type        = number
  default     = 400

  validation {
    condition     = var.audit_retention_days >= 1 && var.audit_retention_days <= 3650 && floor(var.audit_retention_days) == var.audit_retention_days
    error_message = "audit_retention_days must be a whole number from 1 to 3650."
  }
}
