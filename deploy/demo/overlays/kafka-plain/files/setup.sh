# The rights of the bridges, and the topics of the clients. Runs again without harm.
set -eu
with="--bootstrap-server demo-kafka-bootstrap:9093 --command-config /run/kafka/client.properties"
users="--allow-principal User:east-bridge --allow-principal User:west-bridge"
bin=/opt/kafka/bin
$bin/kafka-acls.sh $with --add $users --operation Read --operation Write --operation Create --operation DescribeConfigs --topic '*'
$bin/kafka-acls.sh $with --add $users --operation Read --group '*'
$bin/kafka-acls.sh $with --add $users --operation Write --transactional-id 'causeway-answers-' --resource-pattern-type prefixed
$bin/kafka-topics.sh $with --create --if-not-exists --topic orders --partitions 6
$bin/kafka-topics.sh $with --create --if-not-exists --topic greetings --partitions 1
