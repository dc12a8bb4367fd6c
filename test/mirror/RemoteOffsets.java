import java.time.Duration;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.kafka.connect.mirror.RemoteClusterUtils;

/**
 * Prints where MirrorMaker's own client translates the committed offsets of groups of the source to: for each a line with "offset", group, topic, partition and
 * offset, separated by tabs, between lines of the log. Arguments: bootstrap servers of the target, the name of the source, a regular expression for groups.
 */
class RemoteOffsets {
  private static final Duration TIMEOUT = Duration.ofSeconds(30);

  public static void main(String[] arguments) throws Exception {
    Map<String, Object> properties = Map.of(
        "bootstrap.servers", arguments[0],
        "replication.policy.class", "org.apache.kafka.connect.mirror.IdentityReplicationPolicy");
    RemoteClusterUtils.translateOffsets(properties, arguments[1], Pattern.compile(arguments[2]), TIMEOUT)
        .forEach((group, offsets) -> offsets.forEach((partition, offset) ->
            System.out.printf("offset\t%s\t%s\t%d\t%d%n", group, partition.topic(), partition.partition(), offset.offset())));
  }
}
