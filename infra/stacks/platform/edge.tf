# What stands before the functions that answer HTTP: the same file in the stacks that have routes (checked by test.sh).

variable "allowed_origins" {
  description = "Origins (https://app.example.com) whose pages may call the API, also with cookies, and open sockets; empty for none. Clients that are not browsers need none."
  type        = list(string)
  default     = []

  validation {
    condition = alltrue([
      for origin in var.allowed_origins :
      can(regex("^https?://([a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)*|\\[[0-9a-f:]+\\])(:[1-9][0-9]{0,4})?$", origin)) && !can(regex("^(http:.*:80|https:.*:443)$", origin))
    ])
    error_message = "allowed_origins must be origins as browsers send them, such as https://app.example.com: scheme, host in lower case, a port only if it is not the scheme's own, no path, no '*'."
  }

  validation {
    condition = alltrue([
      for origin in var.allowed_origins :
      startswith(origin, "https://") || (var.env != "production" && can(regex("^http://(localhost|127[.]0[.]0[.]1|\\[::1\\])(:[0-9]+)?$", origin))) || (var.env == "local" && var.local_endpoint != "")
    ])
    error_message = "allowed_origins must start with https://. An attacker on the network can change a page that is loaded over http, and that page could then act for the user. Outside production, http://localhost, http://127.0.0.1 and http://[::1] are allowed, and with ENV=local every http:// origin."
  }
}

variable "trusted_proxy" {
  description = "Proxy in front of the HTTP API that names the client's address: none or cloudfront. With none, the API sees the client. With cloudfront, CloudFront's viewer address counts in requests that carry the origin secret."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "cloudfront"], var.trusted_proxy)
    error_message = "trusted_proxy must be none or cloudfront."
  }
}

variable "origin_secret_sha256" {
  description = "SHA-256 (64 hexadecimal digits) of the secret header that CloudFront adds to requests; empty unless trusted_proxy is cloudfront. Terraform never gets the secret."
  type        = string
  default     = ""

  validation {
    condition     = var.origin_secret_sha256 == "" || can(regex("^[0-9a-f]{64}$", var.origin_secret_sha256))
    error_message = "origin_secret_sha256 must be empty, or 64 hexadecimal digits in lower case."
  }

  validation {
    condition     = (var.origin_secret_sha256 != "") == (var.trusted_proxy == "cloudfront")
    error_message = "origin_secret_sha256 must be given with trusted_proxy cloudfront, and only then. Without it any client could name any address."
  }
}

locals {
  # Every function with a route gets these.
  http_environment = var.trusted_proxy == "none" ? {} : {
    TRUSTED_PROXY        = var.trusted_proxy
    ORIGIN_SECRET_SHA256 = var.origin_secret_sha256
  }
}

# The routes of this stack that exist. API Gateway refuses limits for a route that does not exist, so the stack platform, which owns the
# stage, sets limits only for the routes that it finds here.
resource "aws_ssm_parameter" "routes" {
  #checkov:skip=CKV2_AWS_34:The parameters are names of routes that the stack platform reads while planning; no secret is a parameter

  # The local cloud does not throttle.
  for_each = local.is_local ? {} : { this = true }

  name  = "${local.ssm_prefix}/routes/${local.stack}"
  type  = "String"
  value = join(",", sort(flatten([for entry in values(jsondecode(file(local.catalogue_file))) : try(entry.routes, []) if entry.stack == local.stack])))

  depends_on = [module.service]
}
