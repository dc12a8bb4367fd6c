{{- /* Names and labels of all objects. */ -}}

{{- define "causeway.fullname" -}}
{{ default .Release.Name .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- end -}}

{{- define "causeway.serviceAccount" -}}
{{ default (include "causeway.fullname" .) .Values.serviceAccount.name }}
{{- end -}}

{{- define "causeway.version" -}}
{{ default .Chart.AppVersion .Values.image.tag | trunc 63 }}
{{- end -}}

{{- define "causeway.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What never changes in the life of a release. Argument: root, component. */ -}}
{{- define "causeway.selector" -}}
app.kubernetes.io/name: causeway
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "causeway.commonLabels" -}}
app.kubernetes.io/name: causeway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ include "causeway.version" . | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- /* Argument: root, component. */ -}}
{{- define "causeway.labels" -}}
{{ include "causeway.commonLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}
