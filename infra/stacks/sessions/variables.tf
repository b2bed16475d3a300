variable "device_trust_seconds" {
  description = "How long a trusted device skips the second factor."
  type        = number
  default     = 2592000

  validation {
    condition     = var.device_trust_seconds >= 1 && var.device_trust_seconds <= 31536000 && floor(var.device_trust_seconds) == var.device_trust_seconds
    error_message = "device_trust_seconds must be a whole number from 1 to 31536000 (a year)."
  }
}
