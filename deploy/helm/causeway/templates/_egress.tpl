{{- /*
The TCP ports to which a part connects, from the addresses in its config, as a sorted JSON array. It has a 0 where a port is known
only at run time: an address from the environment, or SRV records.
*/ -}}
{{- define "causeway.egressPorts" -}}
{{- $config := .config -}}
{{- $urls := list (dig "tracing" "endpoint" "" $config) -}}
{{- $ports := list -}}
{{- range $region := $config.regions -}}
{{- range $target := $region.targets -}}
{{- $urls = concat $urls (values (pick $target "url" "healthUrl" "adminUrl")) -}}
{{- $ports = concat $ports (values (pick $target "port" "healthPort" "adminPort")) -}}
{{- if and (hasKey $target "dns") (not (hasKey $target "port")) -}}
{{- $ports = append $ports 0 -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $issuer := dig "auth" "jwt" "issuers" list $config -}}
{{- $urls = concat $urls (values (pick $issuer "issuer" "jwksUrl")) -}}
{{- end -}}
{{- $urls = append $urls (dig "kafka" "sasl" "oauth" "tokenEndpointUrl" "" $config) -}}
{{- range $server := dig "kafka" "bootstrapServers" list $config -}}
{{- $urls = append $urls (printf "kafka://%s" $server) -}}
{{- end -}}
{{- range $url := $urls -}}
{{- $port := regexFind ":[0-9]+$" (regexReplaceAll "^([a-z]+://[^/?#]*).*$" $url "${1}") | trimPrefix ":" -}}
{{- if contains "${" $url -}}
{{- $ports = append $ports 0 -}}
{{- else if $port -}}
{{- $ports = append $ports $port -}}
{{- else if hasPrefix "https://" $url -}}
{{- $ports = append $ports "443" -}}
{{- else if hasPrefix "http://" $url -}}
{{- $ports = append $ports "80" -}}
{{- end -}}
{{- end -}}
{{- $numbers := list -}}
{{- range $ports -}}
{{- $numbers = append $numbers (printf "%05d" (int .)) -}}
{{- end -}}
{{- $sorted := list -}}
{{- range $numbers | uniq | sortAlpha -}}
{{- $sorted = append $sorted (trimPrefix "0" . | trimPrefix "0" | trimPrefix "0" | trimPrefix "0" | int) -}}
{{- end -}}
{{ toJson $sorted }}
{{- end -}}
