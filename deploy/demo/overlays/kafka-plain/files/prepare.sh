# Writes the properties of this pod; with the argument "broker", gives a new volume its format and its users.
set -eu
umask 077
password=$(cat /run/secrets/users/admin)
for file in broker client; do
  sed -e "s|@NODE_ID@|${POD_NAME##*-}|" -e "s|@POD_NAME@|$POD_NAME|" -e "s|@ADMIN_PASSWORD@|$password|" \
    "/etc/kafka-files/$file.properties" > "/run/kafka/$file.properties"
done
if [ "${1:-}" = broker ]; then
  # In a file: every process of the machine sees a command line.
  for user in admin east-bridge west-bridge; do
    printf -- '--add-scram\nSCRAM-SHA-512=[name=%s,password=%s]\n' "$user" "$(cat "/run/secrets/users/$user")"
  done > /run/kafka/users.arguments
  /opt/kafka/bin/kafka-storage.sh format --cluster-id Y2F1c2V3YXktZGVtby0wMQ --config /run/kafka/broker.properties \
    --ignore-formatted @/run/kafka/users.arguments
fi
