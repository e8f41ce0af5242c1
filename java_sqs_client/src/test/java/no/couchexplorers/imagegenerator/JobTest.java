package no.couchexplorers.imagegenerator;

import static no.couchexplorers.imagegenerator.Failing.refusal;
import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JobTest {
    private static final String FIELDS = "prompt, id, model, seed, size, cfg_scale, negative_prompt";

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"prompt\": \"a jeep\"}",
                "{\"prompt\":\"x\",\"id\":\"A-z_9\",\"model\":\"amazon.nova-canvas-v1:0\",\"seed\":4294967295,"
                        + "\"size\":\"1024x512\",\"cfg_scale\":6.5,\"negative_prompt\":\"rain\"}",
                "{\"prompt\":\"x\",\"id\":null,\"model\":null,\"seed\":null,\"size\":null,\"cfg_scale\":null,"
                        + "\"negative_prompt\":null}",
                "{\"prompt\":\"\\u00e5 \\ud83e\\udd8a\",\"seed\":0}",
            })
    void a_job_that_the_worker_takes_is_left_alone(String job) {
        assertDoesNotThrow(() -> Job.check(job, "Line 1"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "{\"seed\": 7} | has no prompt: give {\"prompt\": \"...\"} or the bare prompt.",
                "{\"prompt\": \" \"} | has an empty prompt: write one.",
                "{\"prompt\": null} | has a prompt that is no text: give a text.",
                "{\"prompt\": [\"x\"]} | has a prompt that is no text: give a text.",
                "{\"prompt\": \"a\", \"prompt\": \"b\"} | gives \"prompt\" twice: give it once.",
                "{\"prompt\": \"a\", \"model\": 1} | has a model that is no text: give a text.",
                "{\"prompt\": \"a\", \"negative_prompt\": \"\"} | has an empty negative_prompt: write one, or leave it out.",
                "{\"prompt\": \"a\", \"seed\": \"7\"} | has a seed that is no number: give a number.",
                "{\"prompt\": \"a\", \"seed\": true} | has a seed that is no number: give a number.",
                "{\"prompt\": \"a\", \"seed\": 7.0} | has the seed 7.0: give a whole number from 0 to 4294967295.",
                "{\"prompt\": \"a\", \"seed\": -1} | has the seed -1: give a whole number from 0 to 4294967295.",
                "{\"prompt\": \"a\", \"seed\": 4294967296} | has the seed 4294967296: give a whole number from 0 to 4294967295.",
                "{\"prompt\": \"a\", \"cfg_scale\": \"8\"} | has a cfg_scale that is no number: give a number.",
                "{\"prompt\": \"a\", \"size\": \"1024\"} | has the size \"1024\": give width x height in pixels, like \"1024x1024\".",
                "{\"prompt\": \"a\", \"id\": \"a/b\"} | has the id \"a/b\": give 1 to 64 of the characters A-Z, a-z, 0-9, _ and -.",
                "{\"prompt\": \"\\u0000\"} | has a NUL in its prompt: remove it.",
            })
    void what_the_worker_would_refuse_is_told_by_its_place(String job, String wrong) {
        assertEquals("Line 7 of prompts.txt " + wrong, refusal(() -> Job.check(job, "Line 7 of prompts.txt")));
    }

    @Test
    void a_field_that_no_job_has_is_told_with_those_it_has() {
        assertEquals(
                "Line 1 has a field \"width\" that no job has: its fields are " + FIELDS + ".",
                refusal(() -> Job.check("{\"prompt\": \"a\", \"width\": 512}", "Line 1")));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{",
                "{}x",
                "{\"prompt\": 'a'}",
                "{\"prompt\": \"a\",}",
                "{\"prompt\": \"a\"",
                "{\"prompt\": \"a\", \"cfg_scale\": NaN}",
                "{\"prompt\": \"a\", \"seed\": 007}",
                "{\"prompt\": \"\\x\"}",
                "{\"prompt\": \"a\"} {}",
                "{\"prompt\": \"\\ud800\"}",
            })
    void what_is_no_json_is_told_so(String job) {
        String reason = refusal(() -> Job.check(job, "The prompt"));

        assertEquals(
                "The prompt starts with \"{\" but is no valid JSON: fix the JSON, or write a prompt that starts with \"{\" "
                        + "as {\"prompt\": \"{...\"}.",
                reason.replaceFirst(" \\(column \\d+\\)", ""));
    }

    @ParameterizedTest
    @ValueSource(strings = {"{cat|dog} in a hat", "{curly", "{prompt: a}", "{{a}} moor", "{1, 2}", "{a \\ b}"})
    void a_prompt_in_braces_is_told_how_to_send_it(String prompt) throws UsageException {
        String reason = refusal(() -> Job.check(prompt, "Line 3 of prompts.txt"));

        String advised = reason.substring(reason.indexOf(": write such a prompt as ") + 25, reason.length() - 1);
        assertEquals("{\"prompt\": \"" + prompt.replace("\\", "\\\\") + "\"}", advised);
        Job.check(advised, "The advised line");
    }

    @ParameterizedTest
    @ValueSource(strings = {"1024x1024", "1024X1024", "1024\u00d71024", "1024 \u00d7 768"})
    void a_size_is_written_with_a_letter_or_the_multiplication_sign(String size) throws UsageException {
        Job.check("{\"prompt\": \"a\", \"size\": \"" + size + "\"}", "The prompt");
    }
}
