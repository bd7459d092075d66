{{- define "lockstep.labels" -}}
app.kubernetes.io/name: lockstep
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end }}

{{- define "lockstep.selector" -}}
app.kubernetes.io/name: lockstep
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "lockstep.name" -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "lockstep.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "lockstep.name" .) }}
{{- end }}

{{- define "lockstep.configuration" -}}
{{- if not .Values.config.pairs }}{{ fail "config.pairs: name at least one pair" }}{{ end -}}
{{ toYaml .Values.config }}
{{- end }}

{{- /* Metadata of a pod: root and component. */ -}}
{{- define "lockstep.podMetadata" -}}
labels:
  {{- include "lockstep.labels" .root | nindent 2 }}
  app.kubernetes.io/component: {{ .component }}
  {{- with .root.Values.podLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
annotations:
  # A changed configuration starts the pods anew.
  checksum/configuration: {{ include "lockstep.configuration" .root | sha256sum }}
  {{- with .root.Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- /* A pod's spec: root, args, and whether it serves. */ -}}
{{- define "lockstep.podSpec" -}}
{{- $values := .root.Values -}}
serviceAccountName: {{ include "lockstep.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
{{- if not .serves }}
restartPolicy: Never
{{- end }}
{{- with $values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
containers:
  - name: lockstep
    image: {{ printf "%s:%s" $values.image.repository ($values.image.tag | default .root.Chart.AppVersion) | quote }}
    imagePullPolicy: {{ $values.image.pullPolicy }}
    args:
      {{- toYaml .args | nindent 6 }}
    env:
      - {name: HOME, value: /tmp}
      {{- with $values.env }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- if .serves }}
    ports:
      - {name: http, containerPort: 9464}
    startupProbe:
      httpGet: {path: /livez, port: http}
      periodSeconds: 2
      failureThreshold: 60
    livenessProbe:
      httpGet: {path: /livez, port: http}
      periodSeconds: 20
      timeoutSeconds: 5
      failureThreshold: 3
    readinessProbe:
      httpGet: {path: /readyz, port: http}
      periodSeconds: 10
      timeoutSeconds: 5
    {{- end }}
    resources:
      {{- toYaml $values.resources | nindent 6 }}
    securityContext:
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL]}
    volumeMounts:
      - {name: config, mountPath: /etc/lockstep, readOnly: true}
      - {name: secrets, mountPath: /run/secrets/lockstep, readOnly: true}
      - {name: tokens, mountPath: /run/secrets/tokens, readOnly: true}
      - {name: state, mountPath: /var/lib/lockstep}
      - {name: tmp, mountPath: /tmp}
volumes:
  - name: config
    configMap: {name: {{ include "lockstep.name" .root }}}
  - name: secrets
    secret: {secretName: {{ $values.secretName | quote }}, optional: true, defaultMode: 0440}
  - name: tokens
    projected:
      sources:
        {{- range $name, $audience := $values.tokenAudiences }}
        - serviceAccountToken: {path: {{ $name }}, audience: {{ $audience | quote }}, expirationSeconds: 3600}
        {{- end }}
  - name: state
    {{- if $values.persistence.enabled }}
    persistentVolumeClaim:
      claimName: {{ $values.persistence.existingClaim | default (printf "%s-state" (include "lockstep.name" .root)) | quote }}
    {{- else }}
    emptyDir: {sizeLimit: {{ $values.persistence.size }}}
    {{- end }}
  - name: tmp
    emptyDir: {sizeLimit: 256Mi}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
