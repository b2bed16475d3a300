variable "create" {
  description = "Whether to create anything."
  type        = bool
  default     = true
}

variable "http" {
  description = "Domain name of an HTTP API (api.example.com), the API's id and its stage; null for none."
  type = object({
    domain_name = string
    api_id      = string
    stage       = optional(string, "$default")
  })
  default = null

  validation {
    condition     = var.http == null ? true : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]{2,63}$", var.http.domain_name))
    error_message = "http.domain_name must be a domain name in lower case, such as api.example.com."
  }
}

variable "websocket" {
  description = "Domain name of a WebSocket API (ws.example.com), the API's id and its stage; null for none. It cannot be the name of an HTTP API."
  type = object({
    domain_name = string
    api_id      = string
    stage       = string
  })
  default = null

  validation {
    condition     = var.websocket == null ? true : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]{2,63}$", var.websocket.domain_name))
    error_message = "websocket.domain_name must be a domain name in lower case, such as ws.example.com."
  }

  validation {
    condition     = var.http != null || var.websocket != null
    error_message = "http or websocket must be given."
  }

  validation {
    condition     = try(var.websocket.domain_name != var.http.domain_name, true)
    error_message = "websocket.domain_name must be another name than http.domain_name: API Gateway maps both kinds of APIs to one name never."
  }
}

variable "certificate" {
  description = "Certificate of ACM for the names, issued, in the Region of the APIs; null to request one, which needs hosted_zone."
  type = object({
    arn = string
  })
  default = null

  validation {
    condition     = var.certificate == null ? true : can(regex("^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/[0-9a-f-]+$", var.certificate.arn))
    error_message = "certificate.arn must be the ARN of a certificate of ACM."
  }

  validation {
    condition     = var.certificate != null || var.hosted_zone != null
    error_message = "certificate must be given without hosted_zone: without both, ACM cannot validate the names, and the apply would wait for it."
  }
}

variable "hosted_zone" {
  description = "Public hosted zone of Route 53 for the records of the names and the records that ACM requires. With null, create the records in your DNS: `targets` has their values."
  type = object({
    id = string
  })
  default = null

  validation {
    condition     = var.hosted_zone == null ? true : can(regex("^Z[A-Z0-9]{3,31}$", var.hosted_zone.id))
    error_message = "hosted_zone.id must be the id of a hosted zone, such as Z0123456789ABC."
  }
}

variable "address_records" {
  description = "Whether hosted_zone gets the records that lead the names to API Gateway or to http_front. Switch it off if something else writes them."
  type        = bool
  default     = true
}

variable "http_front" {
  description = "Distribution of CloudFront that the name of the HTTP API leads to instead of API Gateway (outputs `target` and `target_zone_id` of the module edge). A switch changes the record in place, so the name always leads to one of them. Null for API Gateway."
  type = object({
    domain_name = string
    zone_id     = string
  })
  default = null

  validation {
    condition     = var.http_front == null || var.http != null
    error_message = "http_front must be null without http: a distribution does not pass WebSocket APIs on."
  }
}

variable "mutual_tls" {
  description = "Clients of the HTTP API must present a certificate that an authority in this file (PEM, s3://<bucket>/<key>) has signed; null for no mutual TLS. The ARN ownership_verification_certificate_arn is that of a public certificate of ACM for the name, and it is required if the certificate is imported or private. WebSocket APIs do not support mutual TLS. Disable the API's own address (disable_execute_api_endpoint), or clients can bypass mutual TLS."
  type = object({
    truststore_uri                         = string
    truststore_version                     = optional(string)
    ownership_verification_certificate_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.mutual_tls == null ? true : can(regex("^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/.+$", var.mutual_tls.truststore_uri))
    error_message = "mutual_tls.truststore_uri must be s3://<bucket>/<key>."
  }

  validation {
    condition     = var.mutual_tls == null || var.http != null
    error_message = "mutual_tls must be null without http: WebSocket APIs cannot ask for it."
  }
}

variable "cookie_origins" {
  description = "Origins whose pages use the HTTP API with cookies. A cookie with SameSite=Strict is sent only by pages of the same site: each origin must be below `site`, as the API must. Empty without cookies."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.cookie_origins : var.site != null && can(regex("^https://([a-z0-9-]+[.])*${replace(coalesce(var.site, "none"), ".", "[.]")}(:[0-9]+)?$", origin))])
    error_message = "cookie_origins must be https:// origins below site: browsers send the session's cookie to the API only from pages of the same site."
  }
}

variable "site" {
  description = "The registered domain (example.com, example.co.uk) that pages and API share; null without cookies."
  type        = string
  default     = null

  validation {
    condition     = var.site == null ? true : can(regex("^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?[.])+[a-z]{2,63}$", var.site))
    error_message = "site must be a domain name in lower case, such as example.com."
  }

  validation {
    condition     = var.site == null || var.http == null ? true : var.http.domain_name == var.site || endswith(var.http.domain_name, ".${var.site}")
    error_message = "site must be the domain that http.domain_name is below."
  }
}

variable "tags" {
  description = "Tags of everything that can have them."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for key, value in var.tags : length(key) >= 1 && length(key) <= 128 && !startswith(lower(key), "aws:") && length(value) <= 256])
    error_message = "tags must have names of 1 to 128 characters that do not start with aws:, and values of at most 256."
  }
}
