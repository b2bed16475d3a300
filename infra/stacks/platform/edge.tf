# CloudFront and WAF in front of the HTTP API. WAF cannot protect an HTTP API itself. Sockets do not pass through it.

variable "edge" {
  description = "CloudFront and AWS WAF in front of the name of http_domain. `certificate_arn` is a certificate in us-east-1; without it, that of http_domain is used. WAF answers 429 above `requests_per_address` in five minutes. `price_class` selects CloudFront's locations. It needs http_domain, trusted_proxy cloudfront, and the Region us-east-1. Null for no edge. The local cloud ignores it."
  type = object({
    certificate_arn      = optional(string)
    requests_per_address = optional(number, 3000)
    price_class          = optional(string, "PriceClass_100")
  })
  default = null

  validation {
    condition     = var.edge == null || var.http_domain != null
    error_message = "edge must be null without http_domain: CloudFront passes the host name on, and API Gateway must serve it."
  }

  validation {
    condition     = var.edge == null || var.trusted_proxy == "cloudfront"
    error_message = "edge must be null without trusted_proxy cloudfront: every client would count as CloudFront's address, and the API's own address would stay open."
  }

  validation {
    condition     = var.edge == null || var.region == "us-east-1"
    error_message = "edge must be null outside us-east-1, where the web ACL of a distribution has to be. For another Region, apply the module edge in a stack of its own with a provider of us-east-1."
  }
}

variable "edge_origin_secret" {
  description = "Secret that CloudFront adds to each request (TF_VAR_edge_origin_secret); its SHA-256 is origin_secret_sha256. Empty without edge. Unlike the digest, it is in the state of this stack."
  type        = string
  default     = ""
  sensitive   = true

  validation {
    condition     = var.edge == null ? var.edge_origin_secret == "" : strcontains(var.origin_secret_sha256, sha256(var.edge_origin_secret))
    error_message = "edge_origin_secret must be the secret whose SHA-256 is origin_secret_sha256, and empty without edge."
  }
}

locals {
  has_edge = var.edge != null && !module.context.is_local
}

module "edge" {
  source = "../../modules/edge"

  create               = local.has_edge
  name                 = module.context.name_prefix
  domain_name          = try(var.http_domain.name, "unused.example.com")
  origin_domain_name   = local.has_edge ? module.domain.targets[var.http_domain.name] : "unused.example.com"
  certificate_arn      = local.has_edge ? coalesce(var.edge.certificate_arn, module.domain.certificate_arn) : "arn:aws:acm:us-east-1:000000000000:certificate/0"
  origin_secret        = local.has_edge ? var.edge_origin_secret : "unused-unused-unused-unused-unused"
  requests_per_address = try(var.edge.requests_per_address, 3000)
  price_class          = try(var.edge.price_class, "PriceClass_100")
}

output "edge_target" {
  description = "Name of the distribution, for a DNS that is not the hosted zone of http_domain; null without an edge."
  value       = module.edge.target
}
