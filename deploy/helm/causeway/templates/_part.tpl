{{- /*
A part is tier1, gateway or bridge. Its facts come from Causeway's own YAML: no second value says the same.

causeway.parts: the enabled parts of the release, each as
  component, program, name, config (parsed), text (as it is rendered), listeners, health, graceSeconds, values
*/ -}}
{{- define "causeway.parts" -}}
{{- $parts := list -}}
{{- range $component := list "tier1" "gateway" "bridge" -}}
{{- if (index $.Values $component).enabled -}}
{{- $parts = append $parts (include "causeway.part" (dict "root" $ "component" $component) | fromJson) -}}
{{- end -}}
{{- end -}}
{{- if not $parts -}}
{{- fail "Nothing is enabled: set tier1.enabled in the central cluster, gateway.enabled and bridge.enabled in the cluster of a region." -}}
{{- end -}}
{{ dict "parts" $parts | toJson }}
{{- end -}}

{{- define "causeway.part" -}}
{{- /* A key without a value in a file of values removes the default: as if it were empty. */ -}}
{{- $empty := dict -}}
{{- range list "env" "secrets" "certificates" "ingress" "httpRoute" "tlsRoute" "podSpec" -}}
{{- $_ := set $empty . dict -}}
{{- end -}}
{{- $values := merge (deepCopy (index .root.Values .component)) $empty -}}
{{- $program := ternary "bridge" "gateway" (eq .component "bridge") -}}
{{- $where := printf "%s.config" .component -}}
{{- if not $values.config -}}
{{- fail (printf "%s is missing: give it Causeway's %s.yaml, as a text or a map (examples/ has some)" $where $program) -}}
{{- end -}}
{{- $text := ternary $values.config (toYaml $values.config) (kindIs "string" $values.config) -}}
{{- $config := fromYaml $text -}}
{{- if hasKey $config "Error" -}}
{{- fail (printf "%s is not a map in YAML: %s" $where (index $config "Error")) -}}
{{- end -}}
{{- $listeners := include (printf "causeway.%sListeners" $program) (dict "config" $config "where" $where) | fromJsonArray -}}
{{- $health := include (printf "causeway.%sHealth" $program) (dict "config" $config "where" $where) | fromJson -}}
{{- $ports := list $health.port -}}
{{- range $listeners -}}
{{- $isShared := and (eq $program "bridge") (not $config.management) -}}
{{- if and (has .port $ports) (not $isShared) -}}
{{- fail (printf "%s: two listeners have port %v" $where .port) -}}
{{- end -}}
{{- $ports = append $ports .port -}}
{{- end -}}
{{- /* delayMs of gateways, graceMs, a second for the bridge's last responses (RELEASE_MS), and four for the end of the process. */ -}}
{{- $graceMs := dig "shutdown" "graceMs" 10000.0 $config -}}
{{- if not (kindIs "float64" $graceMs) -}}
{{- fail (printf "%s: shutdown.graceMs must be a number: the pod's terminationGracePeriodSeconds follows from it" $where) -}}
{{- end -}}
{{- $delayMs := dig "shutdown" "delayMs" 0.0 $config -}}
{{- if not (kindIs "float64" $delayMs) -}}
{{- fail (printf "%s: shutdown.delayMs must be a number: the pod's terminationGracePeriodSeconds follows from it" $where) -}}
{{- end -}}
{{- $termination := add $values.preStopSeconds (divf (addf $delayMs $graceMs) 1000 | ceil | int) 5 -}}
{{ dict "component" .component "program" $program "name" (printf "%s-%s" (include "causeway.fullname" .root) .component) "config" $config "text" $text "listeners" $listeners "health" $health "terminationSeconds" $termination "values" $values | toJson }}
{{- end -}}

{{- /* A port that Services and probes can name. Argument: section, key, default, where. */ -}}
{{- define "causeway.port" -}}
{{- $port := dig "port" .default .section -}}
{{- if or (not (kindIs "float64" $port)) (lt (int $port) 1) (gt (int $port) 65535) -}}
{{- fail (printf "%s.port must be a number from 1 to 65535, and no variable: Services and probes are made from it" .where) -}}
{{- end -}}
{{- if lt (int $port) 1024 -}}
{{- fail (printf "%s.port: a pod without rights cannot listen on %v; use a port from 1024 on, and set the Service's port" .where $port) -}}
{{- end -}}
{{ int $port }}
{{- end -}}

{{- /* Argument: host, where. */ -}}
{{- define "causeway.checkHost" -}}
{{- if regexMatch "^(127\\.|::1$|\\[::1\\]$|localhost$|$)" (toString .host) -}}
{{- fail (printf "%s.host must be 0.0.0.0 or \"::\": on loopback, which is the default, nothing reaches the pod" .where) -}}
{{- end -}}
{{- end -}}

{{- /* Probes of the kubelet show no certificate. Argument: tls, where. */ -}}
{{- define "causeway.checkProbed" -}}
{{- $tls := default dict .tls -}}
{{- $asks := dig "clientCertificates" (ternary "require" "none" (hasKey $tls "clientCaFile")) $tls -}}
{{- if eq $asks "require" -}}
{{- fail (printf "%s.tls.clientCertificates must not be require, which is the default with clientCaFile: probes of the kubelet show no certificate" .where) -}}
{{- end -}}
{{- end -}}

{{- define "causeway.gatewayListeners" -}}
{{- $listeners := list -}}
{{- $sections := dict -}}
{{- if and .config.listen .config.listeners -}}
{{- fail (printf "%s: listeners replaces listen; remove one of them" .where) -}}
{{- end -}}
{{- $given := default (list (default dict .config.listen)) .config.listeners -}}
{{- range $index, $section := $given -}}
{{- $where := printf "%s: %s" $.where (ternary (printf "listeners[%d]" $index) "listen" (hasKey $.config "listeners")) -}}
{{- include "causeway.checkHost" (dict "host" (dig "host" "" $section) "where" $where) -}}
{{- $port := include "causeway.port" (dict "section" $section "default" 8080.0 "where" $where) | int -}}
{{- $scheme := ternary "https" "http" (hasKey $section "tls") -}}
{{- $name := ternary $scheme (printf "%s-%d" $scheme $port) (eq $index 0) -}}
{{- $listeners = append $listeners (dict "name" $name "port" $port "scheme" $scheme "isSpecial" (or (hasKey $section "redirectToHttpsPort") (dig "proxyProtocol" false $section))) -}}
{{- end -}}
{{ toJson $listeners }}
{{- end -}}

{{- define "causeway.bridgeListeners" -}}
{{- $listen := default dict .config.listen -}}
{{- $where := printf "%s: listen" .where -}}
{{- include "causeway.checkHost" (dict "host" (dig "host" "" $listen) "where" $where) -}}
{{- $port := include "causeway.port" (dict "section" $listen "default" 8080.0 "where" $where) | int -}}
{{- $scheme := ternary "https" "http" (hasKey $listen "tls") -}}
{{ list (dict "name" $scheme "port" $port "scheme" $scheme "isSpecial" false) | toJson }}
{{- end -}}

{{- define "causeway.gatewayHealth" -}}
{{- $admin := default dict .config.admin -}}
{{- $where := printf "%s: admin" .where -}}
{{- include "causeway.checkHost" (dict "host" (dig "host" "" $admin) "where" $where) -}}
{{- include "causeway.checkProbed" (dict "tls" $admin.tls "where" $where) -}}
{{- if not (or $admin.token $admin.tokenFile $admin.tokens) -}}
{{- fail (printf "%s needs a token, as it can be reached from other pods: set admin.token, admin.tokenFile or admin.tokens" $where) -}}
{{- end -}}
{{- if not (or $admin.tls $admin.insecure) -}}
{{- fail (printf "%s needs TLS, or tokens can be read on the way: set admin.tls, or admin.insecure to true" $where) -}}
{{- end -}}
{{- $port := include "causeway.port" (dict "section" $admin "default" 8081.0 "where" $where) | int -}}
{{ dict "name" "management" "port" $port "scheme" (ternary "https" "http" (hasKey $admin "tls")) | toJson }}
{{- end -}}

{{- define "causeway.bridgeHealth" -}}
{{- $isShared := not .config.management -}}
{{- $key := ternary "listen" "management" $isShared -}}
{{- $section := default dict (index .config $key) -}}
{{- $where := printf "%s: %s" .where $key -}}
{{- include "causeway.checkProbed" (dict "tls" $section.tls "where" $where) -}}
{{- $port := include "causeway.port" (dict "section" $section "default" (ternary 8080.0 8081.0 $isShared) "where" $where) | int -}}
{{- $scheme := ternary "https" "http" (hasKey $section "tls") -}}
{{ dict "name" (ternary $scheme "management" $isShared) "port" $port "scheme" $scheme | toJson }}
{{- end -}}

{{- /* The Service's port of the first listener with a scheme that serves requests. Argument: part, scheme, where. */ -}}
{{- define "causeway.routePort" -}}
{{- $found := "" -}}
{{- range $index, $listener := .part.listeners -}}
{{- if and (not $found) (eq .scheme $.scheme) (not .isSpecial) -}}
{{- $found = include "causeway.servicePort" (dict "part" $.part "index" $index) -}}
{{- end -}}
{{- end -}}
{{- required (printf "%s needs a listener with %s in %s.config, without PROXY protocol and redirect" .where (ternary "TLS" "plain HTTP" (eq .scheme "https")) .part.component) $found -}}
{{- end -}}

{{- /* The Service's port of a listener. Argument: part, index. */ -}}
{{- define "causeway.servicePort" -}}
{{- $port := (index .part.listeners .index).port -}}
{{- if eq .index 0 -}}
{{- $port = default $port .part.values.service.port -}}
{{- end -}}
{{ int $port }}
{{- end -}}

{{- define "causeway.workloadKind" -}}
{{ ternary "StatefulSet" "Deployment" (eq . "bridge") }}
{{- end -}}

{{- /*
How many pods the workload asks for; nothing where the autoscaler has decided. While the number is helm's own, which is so when autoscaling
is turned on, leaving it out would remove it, and the default is one pod: the workload keeps what it has. Helm 3 applies nothing on the
server, so its own number cannot be distinguished from the autoscaler's. Argument: root, part.
*/ -}}
{{- define "causeway.replicas" -}}
{{- if not .part.values.autoscaling.enabled -}}
{{ .part.values.replicas }}
{{- else -}}
{{- $workload := lookup "apps/v1" (include "causeway.workloadKind" .part.component) .root.Release.Namespace .part.name -}}
{{- $isApplied := false -}}
{{- $isOwn := false -}}
{{- range dig "metadata" "managedFields" list $workload -}}
{{- if and (eq .manager "helm") (eq .operation "Apply") -}}
{{- $isApplied = true -}}
{{- $isOwn = hasKey (dig "f:spec" dict .fieldsV1) "f:replicas" -}}
{{- end -}}
{{- end -}}
{{- if and $workload (or $isOwn (not $isApplied)) -}}
{{ $workload.spec.replicas }}
{{- end -}}
{{- end -}}
{{- end -}}
