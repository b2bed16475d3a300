variable "event_archive_days" {
  description = "How many days events are kept for replay on AWS; 0 for no archive."
  type        = number
  default     = 14

  validation {
    condition     = var.event_archive_days >= 0 && floor(var.event_archive_days) == var.event_archive_days
    error_message = "event_archive_days must be a whole number, 0 or more."
  }
}
