package no.couchexplorers.imagegenerator;

import java.util.ArrayList;
import java.util.List;

/** Cuts a list of messages into what one SendMessageBatch takes. */
final class Batches {
    /** SQS quotas, "Batched message ID" and "Message batch size". */
    static final int MAXIMUM_MESSAGES = 10;

    /** All bodies of a batch together: API reference, SendMessageBatch. */
    static final int MAXIMUM_BYTES = 1_048_576;

    private Batches() {}

    /** Gives the messages back in their order, in as few batches as that order allows. */
    static List<List<Message>> of(List<Message> messages) {
        List<List<Message>> batches = new ArrayList<>();
        List<Message> batch = new ArrayList<>();
        int bytes = 0;
        for (Message message : messages) {
            int more = message.bytes();
            if (batch.size() == MAXIMUM_MESSAGES || bytes + more > MAXIMUM_BYTES) {
                batches.add(batch);
                batch = new ArrayList<>();
                bytes = 0;
            }
            batch.add(message);
            bytes += more;
        }
        if (!batch.isEmpty()) {
            batches.add(batch);
        }
        return batches;
    }
}
