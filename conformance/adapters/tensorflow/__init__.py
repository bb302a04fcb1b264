"""TensorFlow and Keras: the adapter and the formulations."""
