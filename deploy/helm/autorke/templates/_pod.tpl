{{- define "autorke.labels" -}}
app.kubernetes.io/name: autorke
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "autorke.selector" -}}
app.kubernetes.io/name: autorke
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "autorke.image" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "autorke.podSecurity" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "autorke.env" -}}
- name: AUTORKE_DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.existingSecret }}, key: database-url}}
- name: AUTORKE_REDIS_URL
  valueFrom: {secretKeyRef: {name: {{ .Values.existingSecret }}, key: redis-url}}
- name: AUTORKE_SECRET_KEY_FILE
  value: /etc/autorke/secret-key
- name: AUTORKE_PUBLIC_URL
  value: {{ .Values.publicUrl | quote }}
- name: AUTORKE_COOKIE_SECURE
  value: {{ .Values.cookieSecure | quote }}
{{- range $name, $value := .Values.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "autorke.mounts" -}}
- {name: key, mountPath: /etc/autorke, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "autorke.volumes" -}}
- name: key
  secret:
    secretName: {{ .Values.existingSecret }}
    items: [{key: secret-key, path: secret-key, mode: 0440}]
- name: tmp
  emptyDir: {medium: Memory, sizeLimit: 256Mi}
{{- end }}
