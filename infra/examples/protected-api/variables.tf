variable "name" {
  description = "Prefix of all names."
  type        = string
  default     = "protected-api"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,29}$", var.name))
    error_message = "name must have 1 to 30 characters: a-z, 0-9 and '-', starting with a letter."
  }
}

variable "authorizer" {
  description = "Output `authorizer` of the stack sessions: name, qualifier and invoke_arn."
  type = object({
    name       = string
    qualifier  = optional(string)
    invoke_arn = string
  })
}

variable "allowed_origins" {
  description = "Origins (https://app.example.com) whose pages may call this API, also with cookies. Holdfast's own `allowed_origins` must have them, too."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.allowed_origins : can(regex("^https?://[^/ *]+$", origin))])
    error_message = "allowed_origins must be origins such as https://app.example.com: scheme, host and port, no path, no slash at the end."
  }
}

variable "release_manifest" {
  description = "Manifest that build.py writes: version, arch, and of each function sha256, file and s3Key."
  type        = string
}

variable "local_endpoint" {
  description = "Address of the local cloud (http://127.0.0.1:<port>), whose APIs have other addresses; empty on AWS."
  type        = string
  default     = ""

  validation {
    condition     = var.local_endpoint == "" || can(regex("^http://(127\\.0\\.0\\.1|localhost):[0-9]+$", var.local_endpoint))
    error_message = "local_endpoint must be empty, or http://127.0.0.1:<port> without a slash at the end."
  }
}
