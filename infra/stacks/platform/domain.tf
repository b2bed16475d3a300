# A domain name of your own for the HTTP API. Cookies of the console work with one only: the address of `execute-api` is on the public suffix list,
# and a cookie with SameSite=Strict is not sent to it from your pages.

variable "http_domain" {
  description = "Domain name of the HTTP API (`name`), such as api.example.com. Browsers send cookies only if the name and all https origins of allowed_origins are below `site` (example.com). `hosted_zone_id` is the zone of Route 53 for the records. Without `certificate_arn`, a certificate is requested. `only` switches off the API's own address, which `mutual_tls` requires. Null for the API's own address alone. The local cloud ignores it."
  type = object({
    name            = string
    site            = optional(string)
    hosted_zone_id  = optional(string)
    certificate_arn = optional(string)
    only            = optional(bool, false)
    mutual_tls = optional(object({
      truststore_uri                         = string
      truststore_version                     = optional(string)
      ownership_verification_certificate_arn = optional(string)
    }))
  })
  default = null

  validation {
    condition     = try(var.http_domain.mutual_tls, null) == null || try(var.http_domain.only, false)
    error_message = "http_domain.only must be true with mutual_tls: the API's own address asks for no certificate."
  }

  validation {
    condition     = var.http_domain == null ? true : var.http_domain.certificate_arn != null || var.http_domain.hosted_zone_id != null
    error_message = "http_domain must have certificate_arn, or hosted_zone_id to request a certificate."
  }
}

locals {
  has_domain = var.http_domain != null && !module.context.is_local
}

module "domain" {
  source = "../../modules/domain"

  create      = local.has_domain
  http        = { domain_name = try(var.http_domain.name, "unused.example.com"), api_id = module.http_api.id }
  certificate = try(var.http_domain.certificate_arn, null) == null ? null : { arn = var.http_domain.certificate_arn }
  hosted_zone = try(var.http_domain.hosted_zone_id, null) == null ? (local.has_domain ? null : { id = "ZUNUSED" }) : { id = var.http_domain.hosted_zone_id }
  mutual_tls  = try(var.http_domain.mutual_tls, null)
  # One record for both, because Route 53 has one of a name and a type, and Terraform does not delete one resource before it creates another.
  http_front     = local.has_edge ? { domain_name = module.edge.target, zone_id = module.edge.target_zone_id } : null
  site           = try(var.http_domain.site, null)
  cookie_origins = try(var.http_domain.site, null) == null ? [] : [for origin in var.allowed_origins : origin if startswith(origin, "https://")]
}

output "http_domain_targets" {
  description = "Address that the domain name must point to where its DNS is not the hosted zone that http_domain names; empty without a domain name."
  value       = module.domain.targets
}
